import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A plugin of markdown-it that puts the drawings of docs/ into the page itself. So their colours follow the theme of the page, and they
 * need no request.
 *
 * @param {any} md
 * @param {string} root
 */
export function inlinePictures(md, root) {
  const image = md.renderer.rules.image;
  md.renderer.rules.image = (/** @type {any[]} */ ...args) => {
    const [tokens, at] = args;
    const source = tokens[at].attrGet('src');
    if (!/^\/files\/docs\/.*\.svg$/.test(source)) return image(...args);
    const drawing = readFileSync(join(root, source.slice('/files/'.length)), 'utf8')
      .replace(/<\?xml[^>]*>\s*/, '')
      .trim();
    const alt = md.utils.escapeHtml(tokens[at].content);
    return `<span class="drawing" role="img" aria-label="${alt}" tabindex="0">${drawing}</span>`;
  };
}
