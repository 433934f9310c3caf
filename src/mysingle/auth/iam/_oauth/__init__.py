"""Sign-in with other providers: OAuth 2 with code, PKCE, state and nonce, and whose account it is in the end."""
