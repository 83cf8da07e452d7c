/**
 * Returns the bytes in a block of memory that is at most twice as large. A short buffer is often a slice of a large block, because Node
 * reads sockets into such blocks and cuts short buffers from them. A reference to the slice would keep the whole block in memory, so this
 * function copies the slice.
 */
export function inOwnMemory(data: Buffer): Buffer {
  if (data.length * 2 >= data.buffer.byteLength) return data;
  const copy = Buffer.allocUnsafeSlow(data.length);
  data.copy(copy);
  return copy;
}
