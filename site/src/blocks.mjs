const COMMAND = /^\s*(?:#|[A-Z_]+=\S+ |(?:npm|npx|node|docker|curl|rivulet|git|apt-get|openssl|cargo|python3|go|kubectl)\b)/;

/**
 * A plugin of markdown-it that treats indented code as fenced code, so that it looks the same and scrolls when it is wide.
 *
 * @param {any} md
 */
export function fenceIndentedCode(md) {
  md.core.ruler.push('rivulet-blocks', (/** @type {any} */ { tokens }) => {
    for (const token of tokens) {
      if (token.type !== 'code_block') continue;
      token.type = 'fence';
      token.info = COMMAND.test(token.content) ? 'sh' : 'text';
    }
  });
}
