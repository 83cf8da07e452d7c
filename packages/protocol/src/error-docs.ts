/**
 * The address of an error code's entry in the docs, without the code. It is a path in the repository, until the docs have a site. The page
 * has an anchor for each code of the engine, the client and the SDK.
 */
export const ERROR_DOCS = 'docs/errors.md#';
