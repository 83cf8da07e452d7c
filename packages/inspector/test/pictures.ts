import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';

/** The folder of the pictures in docs/inspector.md. */
const PICTURES = fileURLToPath(new URL('../../../docs/images/inspector', import.meta.url));
/** `npm run screenshots` sets this variable. Then the pictures are written anew. */
const IS_WRITING = process.env.RIVULET_WRITE_PICTURES === '1';
/** An empty page has fewer bytes. */
const LEAST_BYTES = 8_000;

/**
 * Takes a picture of the page as it is now, and compares it with the stored one. Pixels differ from run to run, because ids and times do.
 * So the sizes are compared: a page without its content has far fewer bytes. Returns the differences.
 */
export async function checkPicture(page: Page, name: string): Promise<readonly string[]> {
  const taken = await page.screenshot({ animations: 'disabled', caret: 'hide' });
  const file = join(PICTURES, `${name}.png`);
  if (IS_WRITING) {
    await mkdir(PICTURES, { recursive: true });
    await writeFile(file, taken);
    return [];
  }
  const stored = await readFile(file).catch(() => undefined);
  if (stored === undefined) return [`no picture ${name}.png; run npm run screenshots`];
  const differences: string[] = [];
  if (taken.length < LEAST_BYTES) differences.push(`the page shows little: its picture has ${taken.length} bytes`);
  if (sizeOf(taken) !== sizeOf(stored)) differences.push(`the picture has ${sizeOf(taken)} pixels, and the stored one ${sizeOf(stored)}`);
  const ratio = taken.length / stored.length;
  if (ratio < 0.5 || ratio > 2) differences.push(`the picture has ${taken.length} bytes, and the stored one ${stored.length}`);
  return differences;
}

/** Returns the names of the stored pictures, and their bytes together. */
export async function storedPictures(): Promise<{ readonly names: readonly string[]; readonly bytes: number }> {
  const names = await readdir(PICTURES);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(PICTURES, name))).size));
  return { names, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

/** Returns width and height from the head of a PNG file. */
function sizeOf(png: Buffer): string {
  return `${png.readUInt32BE(16)}x${png.readUInt32BE(20)}`;
}
