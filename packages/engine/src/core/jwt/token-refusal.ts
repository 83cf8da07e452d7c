/** Why a token does not let anybody in. Logs have these words, and docs/jwt.md explains each. */
export const TOKEN_REFUSALS = {
  token_missing: 'The request has no token.',
  token_too_large: 'The token has more than 16,384 characters.',
  token_malformed: 'The token is not a signed token in the compact form.',
  header_malformed: 'The header is no JSON object, repeats a member, or has a `kid` that is no text.',
  header_not_understood: 'The header has `crit`, `b64`, `zip` or `enc`.',
  type_not_allowed: 'The `typ` of the header is not that of a token for access.',
  algorithm_not_allowed: 'The `alg` of the header is not in `algorithms`, such as `none`.',
  key_unknown: 'No known key has the `kid` of the token, or the key does not fit the algorithm.',
  signature_wrong: 'The signature is not that of the key.',
  claims_malformed: 'The payload is no JSON object, or `exp`, `nbf`, `iss`, `aud` or `sub` has the wrong type.',
  expiry_missing: 'The token has no `exp`, so it would allow access for ever.',
  token_expired: 'The time of `exp` has come.',
  token_not_valid_yet: 'The time of `nbf` is further in the future than `leeway_ms`.',
  issuer_wrong: '`iss` is not `issuer`.',
  audience_wrong: '`aud` has no value of `audience`.',
  subject_missing: 'The token has no `sub`.',
  subject_malformed: '`sub` is empty, longer than 256 bytes, or has a control character.',
  subject_not_substitutable: '`sub` has `/` or `*`, and the grants would put it into a pattern or an item id.',
  grants_malformed: 'The claim with the grants has another form than lists of patterns.',
} as const satisfies Record<string, string>;

export type TokenRefusal = keyof typeof TOKEN_REFUSALS;
