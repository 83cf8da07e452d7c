// The theme of VitePress 1.6.4 has two parts that programs for blind people read wrong. The version is pinned, so these changes fit.

/** Changes of the theme's sources, by file. @type {Readonly<Record<string, readonly (readonly [from: string, to: string])[]>>} */
const CHANGES = {
  // The heading of a group is a button. The arrow in it was another one.
  'VPSidebarItem.vue': [
    ['        role="button"\n        aria-label="toggle section"\n', '        aria-hidden="true"\n'],
    ['        @keydown.enter="onCaretClick"\n        tabindex="0"\n', ''],
    [
      '      :tabindex="item.items && 0"\n',
      '      :tabindex="item.items && 0"\n      :aria-expanded="item.items ? !collapsed : undefined"\n',
    ],
  ],
  // The name of the search button did not contain the key that it shows. Its style shows the key now.
  'VPNavBarSearchButton.vue': [['<kbd class="DocSearch-Button-Key">K</kbd>', '<kbd class="DocSearch-Button-Key"></kbd>']],
};

/** A plugin of Vite that makes these changes. It fails when the theme has other sources. */
export function accessibleTheme() {
  return {
    name: 'rivulet-accessible-theme',
    enforce: /** @type {const} */ ('pre'),
    /** @param {string} code @param {string} id */
    transform(code, id) {
      const [, file = ''] = /\/([^/?]+)$/.exec(id) ?? [];
      return CHANGES[file]?.reduce((text, [from, to]) => {
        if (!text.includes(from)) throw new Error(`${file} of the theme no longer has: ${from}`);
        return text.replace(from, to);
      }, code);
    },
  };
}
