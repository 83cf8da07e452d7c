import { field, isRegistryId, type JsonObject, LIMITS, RivuletError } from '@rivulet/protocol';
import { mismatch, readData, readInput } from '../core/builtins/input.js';
import type { Fabric } from '../core/fabric/fabric.js';
import { type Call, JsonPayload } from '../core/fabric/invocation.js';
import { OrderedTrigger, readConfigText } from '../core/triggers/ordered-trigger.js';
import { withoutCaller } from '../core/workers/caller-data.js';
import type { Logger } from '../logging/logger.js';
import { PUBLISH_SCHEMAS, subscribeConfig } from './topic-schemas.js';

/**
 * Adds `publish {topic, data}` and the `subscribe` trigger type. A published event runs the functions that are bound to its topic at that
 * moment. Each binding keeps the order, runs at most once for each event, and is bounded. The engine stores nothing, and other engines get
 * nothing.
 */
export function provideTopics(fabric: Fabric, logger: Logger): void {
  const bindings = new OrderedTrigger(fabric, logger, {
    read: (config) => requireTopic(readConfigText(config, 'topic')),
    indexOf: (topic) => topic,
  });
  const publish = (call: Call) => {
    const input = readInput(call);
    const topic = requireTopic(readTopic(field(input, 'topic')));
    const data = dataOf(call, input);
    if (bindings.wants(topic)) bindings.publish(topic, everyone, () => topic, data, call.span);
    return { kind: 'result', text: 'null' } as const;
  };
  fabric.registerBuiltin('publish', publish, 'Runs the functions that subscribe to a topic.', PUBLISH_SCHEMAS);
  fabric.provideTriggerType('subscribe', 'Fires when something is published to a topic.', bindings, subscribeConfig);
}

/** Returns the data of an event. It becomes the whole payload of subscribers, so the engine removes a caller that a guest put there. */
function dataOf(call: Call, input: JsonObject): JsonPayload {
  const data = JsonPayload.ofText(readData(call, input, 'null'));
  return call.caller?.access === undefined ? data : JsonPayload.ofValue(withoutCaller(data.value));
}

/** The topic alone decides which bindings fire. */
const everyone = () => true;

function readTopic(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw mismatch('topic must be a string');
  return value;
}

function requireTopic(topic: string | undefined): string {
  if (topic === undefined || topic === '') throw new RivuletError('topic_not_set', 'topic must name what is published or subscribed to');
  if (isRegistryId(topic)) return topic;
  throw new RivuletError('INVALID_ID', `topic must be at most ${LIMITS.registryIdBytes} UTF-8 bytes`);
}
