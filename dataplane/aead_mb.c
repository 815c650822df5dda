// The AEAD through intel-ipsec-mb: GCM by its direct calls, which keep no state; ChaCha20-Poly1305 by synchronous jobs, which are
// faster than its direct calls and want a manager a thread.
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <intel-ipsec-mb.h>
#include <rte_prefetch.h>

#include "aead_engine.h"

static_assert(sizeof(struct gcm_key_data) <= AEAD_KEY_ROOM, "ipsec-mb's key data outgrew its room");

#define LINE RTE_CACHE_LINE_SIZE
#define GCM_POWERS 48 // of the hash key, in gcm_key_data; the highest comes first
#define GCM_POWERS_END 1008
#define GCM_FEW_POWERS_END 512 // AVX2 and below: everything they use lies before it

static IMB_MGR *gcm;           // read-only once made: any thread
static __thread IMB_MGR *jobs; // this thread's
static bool many_powers;       // VAES: 48 powers of the hash key, from the end
static char description[64];

static const char *arch_name(IMB_ARCH arch)
{
	switch (arch) {
	case IMB_ARCH_SSE:
		return "SSE";
	case IMB_ARCH_AVX:
		return "AVX";
	case IMB_ARCH_AVX2:
		return "AVX2";
	case IMB_ARCH_AVX512:
		return "AVX512";
	default:
		return NULL;
	}
}

static IMB_MGR *manager_new(IMB_ARCH *arch)
{
	IMB_MGR *m = alloc_mb_mgr(0);

	if (!m)
		return NULL;
	init_mb_mgr_auto(m, arch);
	if (imb_get_errno(m) == 0 && arch_name(*arch) && (m->features & IMB_FEATURE_SELF_TEST_PASS))
		return m;
	free_mb_mgr(m);
	return NULL;
}

static int mb_init(void)
{
	IMB_ARCH arch;

	if (!gcm)
		gcm = manager_new(&arch);
	else
		return 0;
	if (!gcm)
		return -ENOTSUP;
	many_powers = arch == IMB_ARCH_AVX512 && (gcm->features & IMB_FEATURE_VAES);
	snprintf(description, sizeof(description), "ipsec-mb %s (%s%s)", imb_get_version_str(), arch_name(arch),
	         many_powers ? " VAES" : "");
	return 0;
}

static int mb_thread_init(void)
{
	IMB_ARCH arch;

	if (!jobs)
		jobs = manager_new(&arch);
	return jobs ? 0 : -ENOMEM;
}

static const char *mb_name(void)
{
	return description;
}

static void mb_key_set(struct aead_key *k, uint8_t cipher, const uint8_t *key)
{
	struct gcm_key_data *g = (struct gcm_key_data *)k->room;

	if (cipher == AEAD_AES_128_GCM)
		IMB_AES128_GCM_PRE(gcm, key, g);
	else if (cipher == AEAD_AES_256_GCM)
		IMB_AES256_GCM_PRE(gcm, key, g);
	else
		memcpy(k->room, key, 32);
}

// What an operation on len bytes touches: the round keys from the start of the room, and the powers of the hash key before its end
// (one for each block, one for a part of one, one for the AAD, one for the lengths).
struct lines {
	const uint8_t *round_keys_end, *powers;
};

static inline struct lines lines_of(const uint8_t *room, uint8_t cipher, uint32_t len)
{
	unsigned round_keys = cipher == AEAD_AES_128_GCM ? 11 * 16 : 15 * 16;
	unsigned powers = RTE_MIN(len / 16 + 3, (unsigned)GCM_POWERS);
	unsigned first = RTE_ALIGN_FLOOR(GCM_POWERS_END - powers * 16, LINE);

	return (struct lines){ room + round_keys, room + RTE_MAX(first, RTE_ALIGN_CEIL(round_keys, LINE)) };
}

static inline struct lines lines_all(const uint8_t *room, uint8_t cipher, uint32_t len)
{
	struct lines l = lines_of(room, cipher, len);

	if (cipher == AEAD_CHACHA20_POLY1305)
		return (struct lines){ room + LINE, room + AEAD_KEY_ROOM };
	return many_powers ? l : (struct lines){ room + GCM_FEW_POWERS_END, room + AEAD_KEY_ROOM };
}

static void mb_key_prefetch(const struct aead_key *k, uint8_t cipher, uint32_t len)
{
	struct lines l = lines_all(k->room, cipher, len);

	for (const uint8_t *p = k->room; p < l.round_keys_end; p += LINE)
		rte_prefetch0(p);
	for (const uint8_t *p = l.powers; p < k->room + AEAD_KEY_ROOM; p += LINE)
		rte_prefetch0(p);
}

static void mb_key_announce(const struct aead_key *k, uint8_t cipher, uint32_t len)
{
	struct lines l = lines_all(k->room, cipher, len);

	for (const uint8_t *p = k->room; p < l.round_keys_end; p += LINE)
		rte_prefetch1(p);
	for (const uint8_t *p = l.powers; p < k->room + AEAD_KEY_ROOM; p += LINE)
		rte_prefetch1(p);
}

// The job's order says what is done first; ChaCha20-Poly1305 is done when submit returns.
static void chacha(const struct aead_op *op, uint8_t *tag, IMB_CIPHER_DIRECTION direction)
{
	IMB_JOB *j = IMB_GET_NEXT_JOB(jobs);

	j->cipher_direction = direction;
	j->chain_order = direction == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	j->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
	j->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
	j->enc_keys = op->key->room;
	j->dec_keys = op->key->room;
	j->key_len_in_bytes = 32;
	j->u.CHACHA20_POLY1305.aad = op->aad;
	j->u.CHACHA20_POLY1305.aad_len_in_bytes = AEAD_AAD;
	j->src = op->data;
	j->dst = op->data;
	j->iv = op->nonce;
	j->iv_len_in_bytes = 12;
	j->cipher_start_src_offset_in_bytes = 0;
	j->msg_len_to_cipher_in_bytes = op->len;
	j->hash_start_src_offset_in_bytes = 0;
	j->msg_len_to_hash_in_bytes = op->len;
	j->auth_tag_output = tag;
	j->auth_tag_output_len_in_bytes = AEAD_TAG;
	IMB_SUBMIT_JOB_NOCHECK(jobs);
}

static void mb_open(const struct aead_op *op, uint8_t tag[AEAD_TAG])
{
	const struct gcm_key_data *g = (const struct gcm_key_data *)op->key->room;
	struct gcm_context_data ctx;

	if (op->cipher == AEAD_AES_128_GCM)
		IMB_AES128_GCM_DEC(gcm, g, &ctx, op->data, op->data, op->len, op->nonce, op->aad, AEAD_AAD, tag, AEAD_TAG);
	else if (op->cipher == AEAD_AES_256_GCM)
		IMB_AES256_GCM_DEC(gcm, g, &ctx, op->data, op->data, op->len, op->nonce, op->aad, AEAD_AAD, tag, AEAD_TAG);
	else
		chacha(op, tag, IMB_DIR_DECRYPT);
}

static void mb_seal(const struct aead_op *op)
{
	const struct gcm_key_data *g = (const struct gcm_key_data *)op->key->room;
	struct gcm_context_data ctx;

	if (op->cipher == AEAD_AES_128_GCM)
		IMB_AES128_GCM_ENC(gcm, g, &ctx, op->data, op->data, op->len, op->nonce, op->aad, AEAD_AAD, op->tag, AEAD_TAG);
	else if (op->cipher == AEAD_AES_256_GCM)
		IMB_AES256_GCM_ENC(gcm, g, &ctx, op->data, op->data, op->len, op->nonce, op->aad, AEAD_AAD, op->tag, AEAD_TAG);
	else
		chacha(op, op->tag, IMB_DIR_ENCRYPT);
}

const struct aead_engine aead_engine_mb = {
	.init = mb_init,
	.thread_init = mb_thread_init,
	.name = mb_name,
	.key_set = mb_key_set,
	.key_announce = mb_key_announce,
	.key_prefetch = mb_key_prefetch,
	.open = mb_open,
	.seal = mb_seal,
};
