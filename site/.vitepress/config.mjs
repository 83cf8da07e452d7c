import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';
import { accessibleTheme } from '../src/accessible-theme.mjs';
import { fenceIndentedCode } from '../src/blocks.mjs';
import { rewriteLinks } from '../src/links.mjs';
import { navigation } from '../src/navigation.mjs';
import { pagesOf } from '../src/pages.mjs';
import { inlinePictures } from '../src/pictures.mjs';
import { PAGES } from '../src/prepare.mjs';
import { hasWideTable, improveTables } from '../src/rows.mjs';
import { SEARCH_OPTIONS, sectionsOf, tokenize } from '../src/search.mjs';
import { slugOf } from '../src/slug.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const repository = manifest.repository.url.replace(/^git\+/, '').replace(/\.git$/, '');
const pages = pagesOf(root);
const sources = new Map([...pages].map(([source, page]) => [page, source]));
const apiPages = readdirSync(new URL('../.pages/api', import.meta.url), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.md'))
  .map((file) => `api/${file}`)
  .toSorted();

export default defineConfig({
  title: 'Rivulet',
  titleTemplate: ':title · Rivulet',
  description: 'A realtime streams engine: durable, ordered, gapless, for everyone who watches.',
  lang: 'en',
  srcDir: PAGES,
  ignoreDeadLinks: 'localhostLinks',
  head: [['link', { rel: 'icon', href: '/icon.svg', type: 'image/svg+xml' }]],
  metaChunk: true,
  router: { prefetchLinks: false },
  markdown: {
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    anchor: { slugify: slugOf },
    config(md) {
      rewriteLinks(md, { root, pages, repository, sourceOf: (page) => sources.get(page) });
      fenceIndentedCode(md);
      improveTables(md);
      inlinePictures(md, root);
    },
  },
  // The plugin changes the theme's components. Chunks of code and of the search are larger than Vite expects of an application.
  vite: { plugins: [accessibleTheme()], build: { chunkSizeWarningLimit: 4_000 } },
  // Wide tables need the room of the outline beside the page.
  transformPageData(page) {
    if (hasWideTable(readFileSync(new URL(`../${PAGES}/${page.filePath}`, import.meta.url), 'utf8'))) page.frontmatter.aside = false;
  },
  themeConfig: {
    logo: '/icon.svg',
    outline: [2, 3],
    sidebar: navigation(root, apiPages),
    nav: [
      { text: 'Tutorials', link: '/tutorials/chat', activeMatch: '^/tutorials/' },
      { text: 'Guides', link: '/guides/', activeMatch: '^/guides/' },
      { text: 'Reference', link: '/reference' },
      { text: 'Explanations', link: '/explain/cursor', activeMatch: '^/explain/' },
    ],
    search: {
      provider: 'local',
      options: {
        detailedView: false,
        miniSearch: {
          options: { tokenize },
          searchOptions: SEARCH_OPTIONS,
          _splitIntoSections: (_file, html) => sectionsOf(html),
        },
      },
    },
  },
});
