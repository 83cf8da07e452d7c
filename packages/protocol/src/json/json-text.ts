/**
 * A complete JSON document as text. It is the output of `JSON.stringify`, or equal to such an output. Encoders insert it into frames
 * without a parse.
 */
export type JsonText = string;
