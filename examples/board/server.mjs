// The web server of the board: it logs people in, makes their tokens, and serves the page.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { signToken } from './tokens.mjs';

const MOST_BODY = 4_096;
const MOST_NAME = 30;
const MOST_SESSIONS = 1_000;
/** A token lives for minutes. The page gets a new one before, on the same connection. */
const TOKEN_SECONDS = 300;
const COLORS = ['indigo', 'teal', 'rose', 'amber', 'violet', 'sky', 'green', 'slate'];

const file = (name) => readFileSync(new URL(`page/${name}`, import.meta.url), 'utf8');

/**
 * Starts the server on loopback. `script` is the code of the page, and `streamUrl` the address that the page connects to. Pages get tokens
 * while `isReady` returns true. Resolves with the server when it listens.
 */
export async function startServer({ port, secret, streamUrl, script, isReady }) {
  /** The people who are logged in, by the secret in their cookie. A restart of the server logs everybody out. */
  const people = new Map();
  const texts = { '/page.js': ['text/javascript', script], '/style.css': ['text/css', file('style.css')] };
  const pages = { board: file('index.html'), login: file('login.html') };

  async function route(request) {
    const { pathname } = new URL(request.url, 'http://localhost');
    const person = people.get(cookieOf(request));
    const routes = {
      'GET /': () => html(person ? pages.board.replace('"SETTINGS"', () => jsonForHtml({ streamUrl, me: person })) : pages.login),
      'POST /login': async () => logIn(new URLSearchParams(await readBody(request))),
      'POST /logout': () => logOut(request),
      'GET /token': () => tokenFor(person),
    };
    const found = Object.hasOwn(texts, pathname) ? () => text(200, ...texts[pathname]) : routes[`${request.method} ${pathname}`];
    return found?.() ?? text(404, 'text/plain', 'not found');
  }

  function tokenFor(person) {
    if (person === undefined) return text(401, 'text/plain', 'log in');
    return isReady() ? text(200, 'text/plain', signToken(person, secret, TOKEN_SECONDS)) : text(503, 'text/plain', 'wait for the worker');
  }

  /** Anybody is let in under any name. Check a password here, or send people to an identity provider. */
  function logIn(form) {
    const name = (form.get('name') ?? '').trim().slice(0, MOST_NAME);
    const color = form.get('color');
    if (name === '' || !COLORS.includes(color)) return { status: 303, headers: { location: '/' } };
    if (people.size >= MOST_SESSIONS) people.delete(people.keys().next().value);
    const session = randomBytes(24).toString('base64url');
    people.set(session, { sub: randomBytes(6).toString('hex'), name, color });
    return { status: 303, headers: { location: '/', 'set-cookie': `session=${session}; Path=/; HttpOnly; SameSite=Strict` } };
  }

  function logOut(request) {
    people.delete(cookieOf(request));
    return { status: 303, headers: { location: '/', 'set-cookie': 'session=; Path=/; Max-Age=0' } };
  }

  const server = createServer((request, response) => {
    const answer = ({ status, headers, body }) => response.writeHead(status, { ...headersFor(streamUrl), ...headers }).end(body);
    route(request).then(answer, (error) => answer(text(400, 'text/plain', error.message)));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const text = (status, type, body) => ({ status, headers: { 'content-type': `${type}; charset=utf-8` }, body });
const html = (body) => text(200, 'text/html', body);

/** JSON in which no text of a person can end the script element around it. */
const jsonForHtml = (value) => JSON.stringify(value).replaceAll('<', '\\u003c');

const cookieOf = ({ headers }) => /(?:^|; )session=([\w-]+)/.exec(headers.cookie ?? '')?.[1];

/** The page runs only its own script, and connects only to this server and to the engine. */
const headersFor = (streamUrl) => ({
  'content-security-policy': `default-src 'self'; img-src 'self' data:; connect-src 'self' ${streamUrl}; frame-ancestors 'none'; base-uri 'none'`,
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
});

async function readBody(request) {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
    if (body.length > MOST_BODY) throw new Error('the body is too large');
  }
  return body;
}
