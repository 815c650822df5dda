// The process of one token's key: exec'd by token.c from the same binary, runs the token's module or the TPM's provider.
#pragma once

#define TOKEN_HELPER_OPTION "--token-helper"

// Serves TOKENWIRE_FD and returns the exit status.
int token_helper_main(void);
