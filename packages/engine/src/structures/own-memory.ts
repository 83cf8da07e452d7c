/**
 * Returns the bytes in memory that holds little else. A short buffer is a part of a large block: a socket was read into it, or Node cuts all
 * short buffers from it, those of `Buffer.from` included. Whoever keeps such a buffer keeps the whole block.
 */
export function inOwnMemory(data: Buffer): Buffer {
  if (data.length * 2 >= data.buffer.byteLength) return data;
  const copy = Buffer.allocUnsafeSlow(data.length);
  data.copy(copy);
  return copy;
}
