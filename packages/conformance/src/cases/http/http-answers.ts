import { randomBytes } from 'node:crypto';
import { holds, Mismatch, same } from '../../peers/check.js';
import { channelPath, type PeerChannel } from '../../peers/peer-channel.js';
import type { HttpInput } from '../../peers/peer-http.js';
import { Failure, type Frame } from '../../peers/peer-worker.js';
import type { Case, CaseContext } from '../../runner/case.js';

const needs = ['worker', 'http'] as const;
const respond = (context: CaseContext, { response }: HttpInput) => context.channel(channelPath(response));
const send = (out: PeerChannel, frame: Frame) => out.socket.send(JSON.stringify(frame));
const never = () => new Promise(() => {});

async function errorOf(answer: Response): Promise<[number, unknown, boolean]> {
  const { error } = (await answer.json()) as { error?: Frame };
  return [answer.status, error?.code, typeof error?.message === 'string' && typeof error.error_id === 'string'];
}

export const httpAnswerCases: readonly Case[] = [
  {
    rules: ['HT-5'],
    title: 'status, headers and the exact bytes of a download go through the response channel',
    needs,
    async run(context) {
      const http = await context.http();
      const file = randomBytes(1_500_000);
      await http.serve('/file', async (input) => {
        const out = await respond(context, input);
        send(out, { type: 'set_status', status_code: 201 });
        send(out, { type: 'set_headers', headers: { 'content-type': 'application/pdf' } });
        out.socket.send('no JSON');
        for (let at = 0; at < file.length; at += 65_536) out.socket.send(file.subarray(at, at + 65_536));
        out.socket.close(1000, 'stream_complete');
      });
      const answer = await http.fetch('/file');
      same([answer.status, answer.headers.get('content-type')], [201, 'application/pdf'], 'status and header');
      const got = Buffer.from(await answer.arrayBuffer());
      same([got.length, got.equals(file)], [file.length, true], 'the bytes');
    },
  },
  {
    rules: ['HT-5'],
    title: 'server-sent events arrive one by one; status and headers need no body',
    needs,
    async run(context) {
      const http = await context.http();
      let out: PeerChannel | undefined;
      await http.serve('/events', async (input) => {
        out = await respond(context, input);
        send(out, { type: 'set_headers', headers: { 'content-type': 'text/event-stream', connection: 'keep-alive' } });
        out.socket.send(Buffer.from('data: 0\n\n'));
      });
      const events = await http.fetch('/events');
      same(events.headers.get('content-type'), 'text/event-stream', 'the content type');
      const reader = (events.body as ReadableStream<Uint8Array>).getReader();
      for (let n = 0; n < 5; n++) {
        const { value } = await reader.read();
        same(Buffer.from(value ?? []).toString(), `data: ${n}\n\n`, 'a chunk before the next is sent');
        out?.socket.send(Buffer.from(`data: ${n + 1}\n\n`));
      }
      await reader.cancel();
      await http.serve('/head', async (input) => {
        const head = await respond(context, input);
        send(head, { type: 'set_status', status_code: 202 });
        send(head, { type: 'set_headers', headers: { 'x-a': 'b' } });
        head.socket.close();
      });
      const head = await http.fetch('/head');
      same([head.status, head.headers.get('x-a'), await head.text()], [202, 'b', ''], 'a response of status and headers');
    },
  },
  {
    rules: ['HT-6'],
    title: 'a function that throws, is missing or loses its worker is a 500 with code, message and error id',
    needs,
    async run(context) {
      const http = await context.http();
      await http.serve('/throws', () => {
        throw new Failure({ code: 'mine', message: 'boom' });
      });
      same(await errorOf(await http.fetch('/throws')), [500, 'mine', true], 'a function that throws');
      await http.bind(context.name('missing'), '/missing');
      same(await errorOf(await http.fetch('/missing')), [500, 'function_not_found', true], 'a function that is missing');
      const dying = await context.worker();
      const id = context.name('dying');
      await dying.register(id);
      await http.bind(id, '/dies');
      const answer = http.fetch('/dies');
      answer.catch(() => {});
      await dying.takeCall(id);
      dying.socket.terminate();
      same(await errorOf(await answer), [500, 'invocation_stopped', true], 'a function whose worker dies');
    },
  },
  {
    rules: ['HT-8'],
    title: 'a function that does not answer is 504 after default_timeout, a body that has begun goes on beyond it',
    needs,
    async run(context) {
      const http = await context.http();
      let out: PeerChannel | undefined;
      await http.serve('/slow', async (input) => {
        out = await respond(context, input);
        out.socket.send(Buffer.from('begun '));
      });
      await http.serve('/hangs', never);
      const slow = await http.fetch('/slow');
      const late = await http.fetch('/hangs').catch(() => {
        const expected = `HTTP 504 within ${context.patienceMs} ms; the listener is to have a default_timeout below that`;
        throw new Mismatch('HTTP 504', expected, 'no answer');
      });
      same(late.status, 504, 'the status of a function that does not answer');
      out?.socket.send(Buffer.from('ended'));
      out?.socket.close(1000);
      same(await slow.text(), 'begun ended', 'the body that took longer');
    },
  },
  {
    rules: ['HT-10'],
    title: 'middleware of the listener, condition, middleware of the route and function run in this order, with the metadata',
    needs,
    async run(context) {
      const http = await context.http();
      const seen: [string, unknown, unknown][] = [];
      const noting = (what: string, answer: unknown) => (data: unknown, frame: Frame) => {
        seen.push([what, data, frame.metadata]);
        return answer;
      };
      const ids = Object.fromEntries(['condition', 'one', 'two'].map((what) => [what, context.name(what)])) as Record<string, string>;
      await http.answerMiddleware(noting('listener', { action: 'continue' }));
      await http.worker.serve(ids.condition ?? '', noting('condition', null));
      await http.worker.serve(ids.one ?? '', noting('one', undefined));
      await http.worker.serve(ids.two ?? '', noting('two', 'anything'));
      const config = { condition_function_id: ids.condition, middleware_function_ids: [ids.one, ids.two] };
      await http.serve('/m/:id', noting('function', { body: 'done' }), { config, metadata: { tenant: 'acme' } });
      same(await (await http.fetch('/m/7?q=1')).json(), 'done', 'the answer');
      same(
        seen.map(([what]) => what),
        ['listener', 'condition', 'one', 'two', 'function'],
        'the order',
      );
      for (const [what, data, metadata] of seen) {
        same(metadata, { tenant: 'acme' }, `the metadata of ${what}`);
        if (what === 'condition' || what === 'function') continue;
        const { phase, request, context: given } = data as { phase: unknown; request: Frame; context: unknown };
        const { headers, ...rest } = request;
        const expected = ['preHandler', { path_params: { id: '7' }, query_params: { q: '1' }, method: 'GET' }, {}];
        same([phase, rest, given], expected, `the input of ${what}`);
        holds(typeof headers === 'object', 'middleware gets the headers', request);
      }
    },
  },
  {
    rules: ['HT-10'],
    title: 'middleware that responds ends the request, one that fails is 500; a condition of false is 422',
    needs,
    async run(context) {
      const http = await context.http();
      const [stop, no] = [context.name('stop'), context.name('no')];
      let called = 0;
      const run = () => ({ body: ++called });
      await http.worker.serve(stop, () => ({
        action: 'respond',
        response: { status_code: 403, headers: { 'x-by': 'mw' }, body: { no: 1 } },
      }));
      await http.worker.serve(no, () => false);
      await http.serve('/stop', run, { config: { middleware_function_ids: [stop] } });
      await http.serve('/fails', run, { config: { middleware_function_ids: [context.name('missing')] } });
      await http.serve('/if', run, { config: { condition_function_id: no } });
      const stopped = await http.fetch('/stop');
      same([stopped.status, stopped.headers.get('x-by'), await stopped.json()], [403, 'mw', { no: 1 }], 'the answer of the middleware');
      same(await errorOf(await http.fetch('/fails')), [500, 'function_not_found', true], 'middleware that is missing');
      const skipped = await http.fetch('/if');
      const { error, skipped: marked } = (await skipped.json()) as { error: Frame; skipped: unknown };
      same([skipped.status, error.code, marked], [422, 'CONDITION_NOT_MET', true], 'a condition of false');
      same(called, 0, 'calls of the function');
    },
  },
  {
    rules: ['HT-11'],
    title: 'without cors rules any page may call anything: on answers, on errors and on preflights, which reach no function',
    needs,
    async run(context) {
      const http = await context.http();
      let called = 0;
      await http.serve('/c', () => ({ body: ++called }), { method: 'OPTIONS' });
      const origin = 'https://app.example';
      const preflight = await http.fetch('/c', {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'x-a' },
      });
      same([preflight.status, called], [200, 0], 'the answer to a preflight');
      same(preflight.headers.get('access-control-allow-origin'), '*', 'the origin that a preflight allows');
      const methods = preflight.headers.get('access-control-allow-methods') ?? '';
      holds(methods === '*' || methods.includes('PATCH'), 'a preflight allows PATCH', methods);
      same(await (await http.fetch('/c', { method: 'OPTIONS' })).json(), 1, 'a plain OPTIONS');
      for (const path of ['/c', '/none']) {
        const answer = await http.fetch(path, { headers: { origin } });
        same(answer.headers.get('access-control-allow-origin'), '*', `the origin allowed on HTTP ${answer.status}`);
      }
    },
  },
];
