import { LIVE_PATH } from '../../stream/session/live-sessions.js';
import type { AdminRequest } from '../admin-listener.js';
import { type Answer, errorAnswer } from '../answer.js';
import { encodingFor, INDEX, type InspectorFiles } from '../inspector/inspector-files.js';
import type { RouteRow } from '../routes.js';

/**
 * The policy of the page. It loads, and connects to, nothing but its own origin; `'self'` of `connect-src` includes the WebSocket of
 * `/live`. No other page may frame it.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  vary: 'accept-encoding',
} as const;

/** Name of an asset with a hash of its content, as the build makes it: `main-3fA9_x2Q.js`. */
const HASHED = /-[\w-]{8,}\.\w+$/;

/**
 * The page of the inspector, its files and its stream sessions. The files hold no secret, so they need no token; the page asks its user for
 * one.
 */
export function inspectorRoutes(files: InspectorFiles): readonly RouteRow[] {
  return [
    { method: 'GET', path: '/', need: 'page', handle: (request) => fileAnswer(files, INDEX, request) },
    { method: 'GET', path: '/assets/{file}', need: 'page', handle: (request) => assetAnswer(files, request) },
    { method: 'GET', path: LIVE_PATH, need: 'viewer', handle: upgradeNeeded },
  ];
}

/** Answers a request that is no upgrade. `LiveUpgrades` has the upgrades. */
function upgradeNeeded(): Answer {
  const answer = errorAnswer(426, 'INVALID_ARGUMENTS', 'this path speaks the stream protocol over a WebSocket; docs/admin.md explains it');
  return { ...answer, headers: { upgrade: 'websocket' } };
}

function assetAnswer(files: InspectorFiles, request: AdminRequest): Promise<Answer> {
  const { file = '' } = request.parameters;
  // The table of files has the page too, and `/assets/index.html` is none.
  return fileAnswer(files, file === INDEX ? '' : file, request);
}

async function fileAnswer(files: InspectorFiles, name: string, { acceptEncoding }: AdminRequest): Promise<Answer> {
  const file = await files.find(name);
  if (file === 'not_built')
    return errorAnswer(404, 'NOT_FOUND', 'the inspector is not built; run `npm run build` in the clone of Rivulet, and load this again');
  if (file === 'missing') return errorAnswer(404, 'NOT_FOUND', 'the inspector has no such file; load its page again');
  const encoding = encodingFor(file, acceptEncoding);
  const headers = {
    ...HEADERS,
    ...(HASHED.test(name) ? { 'cache-control': 'public, max-age=31536000, immutable' } : {}),
    ...(encoding?.name === undefined ? {} : { 'content-encoding': encoding.name }),
  };
  return { status: 200, body: '', bytes: encoding?.bytes, type: file.type, headers };
}
