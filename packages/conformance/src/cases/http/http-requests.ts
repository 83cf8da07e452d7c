import { randomBytes } from 'node:crypto';
import { holds, same } from '../../peers/check.js';
import { channelPath } from '../../peers/peer-channel.js';
import type { HttpInput } from '../../peers/peer-http.js';
import type { Frame } from '../../peers/peer-worker.js';
import type { Case, CaseContext } from '../../runner/case.js';

const needs = ['worker', 'http'] as const;
const JSON_TYPE = { 'content-type': 'application/json' };

async function readBody(context: CaseContext, input: HttpInput): Promise<Buffer> {
  const reader = await context.channel(channelPath(input.request_body));
  return reader.rest(context.patienceMs);
}

export const httpRequestCases: readonly Case[] = [
  {
    rules: ['HT-1', 'HT-3'],
    title: 'each method reaches its function with parameters, query, headers, the pattern as path and the trigger',
    needs,
    async run(context) {
      const http = await context.http();
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
        const seen: HttpInput[] = [];
        await http.serve('/things/:id', (input) => ({ status_code: 201, body: seen.push(input) }), { method: method.toLowerCase() });
        const answer = await http.fetch('/things/a%20b?q=1&q=2&r=x+y%C3%A9', { method, headers: { 'x-Mixed': 'v' } });
        same([answer.status, await answer.json(), seen.length], [201, 1, 1], `the answer to ${method}`);
        const { path_params, query_params, headers, path, trigger, body, ...input } = seen[0] as HttpInput;
        same([path_params, query_params], [{ id: 'a b' }, { q: '2', r: 'x yé' }], 'parameters and query');
        same([headers['x-mixed'], input.method, body], ['v', method, null], 'header, method and body');
        const pattern = http.pattern('/things/:id');
        same([path, trigger], [pattern, { type: 'http', path: pattern, method }], 'path and trigger');
        holds(!('_caller_worker_id' in input), 'a request names no caller', Object.keys(input));
      }
    },
  },
  {
    rules: ['HT-1'],
    title: 'a path without its leading slash is the same, GET is the default, and static segments win',
    needs,
    async run(context) {
      const http = await context.http();
      await http.serve('/u/:id', () => ({ body: 'parameter' }));
      await http.serve('/u/me', () => ({ body: 'static' }), { config: { api_path: http.pattern('/u/me').slice(1) } });
      for (const [path, body] of [
        ['/u/me', 'static'],
        ['/u/you', 'parameter'],
      ] as const)
        same(await (await http.fetch(path)).json(), body, `who serves ${path}`);
      same((await http.fetch('/u/me/')).status, 404, 'a path with a slash too many');
    },
  },
  {
    rules: ['HT-1'],
    title: 'a JSON body is parsed; none, a broken one and one of another type are null',
    needs,
    async run(context) {
      const http = await context.http();
      await http.serve('/b', ({ body }) => ({ body: { got: body } }), { method: 'POST' });
      for (const [type, body, got] of [
        ['application/json', '{"a":[1,"é"]}', { a: [1, 'é'] }],
        ['application/json; charset=utf-8', '[1]', [1]],
        ['application/json', '{"a":', null],
        ['application/json', '', null],
        ['text/plain', '{"a":1}', null],
      ] as const) {
        const answer = await http.fetch('/b', { method: 'POST', headers: { 'content-type': type }, body });
        same(await answer.json(), { got }, `the body ${body} of ${type}`);
      }
    },
  },
  {
    rules: ['HT-1', 'HT-2'],
    title: 'status, headers as object and as list, and the body by its content type',
    needs,
    async run(context) {
      const http = await context.http();
      const answers: Record<string, Frame> = {
        object: { status_code: 202, headers: { 'x-a': 'b', 'x-n': 1 }, body: { n: 1 } },
        list: { headers: ['X-A: b', 'no header'], body: [1] },
        xml: { headers: { 'content-type': 'text/xml' }, body: '<a/>' },
        text: { body: '<a/>' },
        odd: { status_code: 7 },
      };
      await http.serve('/r/:what', ({ path_params }) => answers[String(path_params.what)]);
      const read = async (what: string) => {
        const answer = await http.fetch(`/r/${what}`);
        const { headers } = answer;
        return [answer.status, headers.get('x-a'), headers.get('content-type')?.split(';')[0], await answer.text()];
      };
      same(await read('object'), [202, 'b', 'application/json', '{"n":1}'], 'headers as an object');
      same(await read('list'), [200, 'b', 'application/json', '[1]'], 'headers as a list');
      same(await read('xml'), [200, null, 'text/xml', '<a/>'], 'a text with a content type');
      same(await read('text'), [200, null, 'application/json', '"<a/>"'], 'a text without one');
      same(await read('odd'), [200, null, 'application/json', '{}'], 'a status out of range, and no body');
    },
  },
  {
    rules: ['HT-4'],
    title: 'the channel has the exact bytes of every body, also of one that is parsed, in frames of at most 64 KiB',
    needs,
    async run(context) {
      const http = await context.http();
      let got: Buffer = Buffer.alloc(0);
      let parsed: unknown;
      const read = async (input: HttpInput) => {
        got = await readBody(context, input);
        parsed = input.body;
        return {};
      };
      await http.serve('/b', read, { method: 'POST' });
      const json = Buffer.from(`{ "a" :  ${JSON.stringify('é'.repeat(300_000))} }\n`);
      for (const [type, body] of [
        ['application/json', json],
        ['application/octet-stream', randomBytes(1_500_000)],
        ['application/x-www-form-urlencoded', Buffer.from(`a=${'b'.repeat(1_200_000)}`)],
        ['multipart/form-data; boundary=x', randomBytes(1_200_000)],
        ['text/plain', Buffer.alloc(0)],
      ] as const) {
        const answer = await http.fetch('/b', { method: 'POST', headers: { 'content-type': type }, body: new Uint8Array(body) });
        same([answer.status, got.length, got.equals(body)], [200, body.length, true], `the bytes of ${type}`);
        same(parsed !== null, type === 'application/json', `whether ${type} is parsed`);
      }
    },
  },
  {
    rules: ['HT-13'],
    title: 'metadata of the trigger and the trace of the client reach the function beside its data',
    needs,
    async run(context) {
      const http = await context.http();
      const seen: Frame[] = [];
      await http.serve(
        '/m',
        (_input, frame) => {
          seen.push(frame);
        },
        { metadata: { tenant: 'acme' } },
      );
      await http.fetch('/m', { method: 'GET', headers: { ...JSON_TYPE, traceparent: '00-1-2-01', baggage: 'k=v' } });
      const [frame] = seen;
      same([frame?.metadata, frame?.traceparent, frame?.baggage], [{ tenant: 'acme' }, '00-1-2-01', 'k=v'], 'what the function got');
    },
  },
  {
    rules: ['HT-7'],
    title: '404 before the trigger, 200 with it, 404 after it, while a request in flight goes on',
    needs,
    async run(context) {
      const http = await context.http();
      const missing = await http.fetch('/health');
      const body = { error: { code: 'NOT_FOUND', message: 'Not Found' } };
      same([missing.status, await missing.json()], [404, body], 'the answer before');
      let reached = () => {};
      let go = () => {};
      const handling = new Promise<void>((resolve) => (reached = resolve));
      const id = await http.serve('/health', async ({ query_params }) => {
        if (query_params.wait === undefined) return { body: 'up' };
        reached();
        await new Promise<void>((resolve) => (go = resolve));
        return { body: 'late' };
      });
      same(await (await http.fetch('/health')).json(), 'up', 'the answer of the route');
      const late = http.fetch('/health?wait');
      late.catch(() => {});
      await handling;
      http.worker.send({ type: 'unregistertrigger', id });
      await http.worker.settled();
      same((await http.fetch('/health')).status, 404, 'the status after');
      go();
      same(await (await late).json(), 'late', 'the answer in flight');
    },
  },
  {
    rules: ['HT-9'],
    title: 'names of parameters that conflict are refused, and the first route goes on',
    needs,
    async run(context) {
      const http = await context.http();
      await http.serve('/a/:x', ({ path_params }) => ({ body: path_params }));
      await http.serve('/a/:y', () => ({ body: 'second' }));
      const refused = await http.worker.take('triggerregistrationresult');
      same((refused.error as Frame).code, 'trigger_registration_failed', 'the answer to the second');
      same(await (await http.fetch('/a/1')).json(), { x: '1' }, 'who serves');
    },
  },
];
