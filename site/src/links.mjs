import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { addressOf } from './pages.mjs';
import { headingIn } from './titles.mjs';

// Documents link to files of the repository by relative paths, so that the links also work in the repository. On the site, such a link
// leads to the page of that file. A file without a page has its address in the public repository.

/** @typedef {{ root: string, pages: ReadonlyMap<string, string>, repository: string }} Site */

const PICTURE = /\.(png|svg|gif|webp)$/;

/**
 * Returns the link of a document as the site writes it. Throws when it leads to a file that does not exist.
 *
 * @param {Site} site
 * @param {string} source the document, relative to the root of the repository
 * @param {string} href
 * @returns {string}
 */
export function siteLink(site, source, href) {
  if (/^[a-z][a-z+.-]*:/i.test(href) || href.startsWith('#') || href.startsWith('/')) return href;
  const [path = '', ...rest] = href.split('#');
  const hash = rest.length > 0 ? `#${rest.join('#')}` : '';
  const target = posix.normalize(posix.join(posix.dirname(source), decodeURI(path))).replace(/\/$/, '');
  const page = site.pages.get(target) ?? site.pages.get(`${target}/README.md`) ?? site.pages.get(`${target}/index.md`);
  if (page !== undefined) return `${addressOf(page)}${hash}`;
  if (target === 'README.md') return `/${hash}`;
  if (!existsSync(join(site.root, target))) throw new Error(`${source} links to ${href}, but there is no file ${target}`);
  if (PICTURE.test(target)) return `/files/${target}`;
  const kind = statSync(join(site.root, target)).isDirectory() ? 'tree' : 'blob';
  return `${site.repository}/${kind}/main/${target}${hash}`;
}

/**
 * A plugin of markdown-it that gives links and pictures their addresses on the site.
 *
 * @param {any} md
 * @param {Site & { sourceOf: (page: string) => string | undefined }} site
 */
export function rewriteLinks(md, site) {
  md.core.ruler.push('rivulet-links', (/** @type {any} */ state) => {
    const source = site.sourceOf(state.env.relativePath);
    if (source === undefined) return;
    for (const block of state.tokens)
      for (const [at, token] of (block.children ?? []).entries()) {
        if (token.type === 'link_open') nameTarget(site, source, token.attrGet('href'), block.children[at + 1]);
        const name = token.type === 'link_open' ? 'href' : token.type === 'image' ? 'src' : undefined;
        if (name !== undefined) token.attrSet(name, siteLink(site, source, token.attrGet(name)));
      }
  });
}

/**
 * Replaces the name of a file as the text of a link, such as `admin.md`, by the title of its page. The site has no such files.
 *
 * @param {Site} site
 * @param {string} source
 * @param {string} href
 * @param {any} text the token behind the link
 */
function nameTarget(site, source, href, text) {
  if (text?.type !== 'text' || !/^[\w./-]+\.md$/.test(text.content)) return;
  const target = posix.normalize(posix.join(posix.dirname(source), href.split('#')[0] ?? ''));
  if (site.pages.has(target)) text.content = headingIn(readFileSync(join(site.root, target), 'utf8'));
}
