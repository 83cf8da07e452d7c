/** A complete JSON document as text, always the output of `JSON.stringify` or proven to be equal to one; spliced into frames without a parse. */
export type JsonText = string;
