import { createApp, createSSRApp, defineComponent, h, reactive, ref } from 'vue';
import type { InitialState, StreamClient } from '../../src/index.js';
import { useCall, useConnection, usePresence, useStreamGroup, useStreamItem } from '../../src/vue.js';
import { type CallerPage, callerLine, type Question } from './callers.js';
import { type Chat, newRooms, type RoomsPage } from './framework-page.js';
import { type PeoplePage, type Person, peopleLine } from './people.js';

export { tapped } from './tapped.js';

/** The state that the test changes. */
const group = ref('r1');
const isShown = ref(true);

/** Returns a page with the room twice. */
function page(client: StreamClient, initial: InitialState<Chat> | undefined) {
  const Room = defineComponent({
    props: { group: { type: String, required: true } },
    setup(props) {
      const { items, status } = useStreamGroup<Chat>(client, 'chat', () => props.group, {
        initial,
        onEvent: ({ name }) => rooms.heard.push(`${name} in ${props.group}`),
      });
      const { item } = useStreamItem<Chat>(client, 'chat', () => props.group, 'm1', { initial });
      const state = useConnection(client);
      return () => {
        const texts = items.value.map(({ data }) => data.text).join();
        const line = `${props.group} ${status.value} ${texts} | ${item.value?.data.text ?? '-'}`;
        rooms.rendered.push(line);
        return h('p', { class: 'room', 'data-state': state.value.kind }, line);
      };
    },
  });
  return defineComponent(() => () => h('div', isShown.value ? [h(Room, { group: group.value }), h(Room, { group: group.value })] : []));
}

/** Returns the app as servers render it and browsers hydrate it. */
export function serverApp(client: StreamClient, initial: InitialState<Chat>) {
  return createSSRApp(page(client, initial));
}

export const rooms: RoomsPage = {
  ...newRooms(),
  show: (client, initial) => {
    const app = initial === undefined ? createApp(page(client, undefined)) : serverApp(client, initial);
    app.mount('#server');
    rooms.end = () => app.unmount();
  },
  turnTo: (next) => {
    group.value = next;
  },
  showRooms: (next) => {
    isShown.value = next;
  },
};

/** A page with the people of a room. */
export const people: PeoplePage = {
  show: (client, name) => {
    const root = document.createElement('div');
    document.body.append(root);
    const me = reactive({ name, typing: false });
    const People = defineComponent(() => {
      const { status, self, others, update } = usePresence<Person>(client, 'presence', 'room', me, { self: name });
      people.update = update;
      return () =>
        h(
          'p',
          { id: 'people' },
          peopleLine(
            status.value,
            self.value?.data,
            others.value.map(({ data }) => data),
          ),
        );
    });
    const app = createApp(People);
    app.mount(root);
    people.setTyping = (typing) => {
      me.typing = typing;
    };
    people.end = () => app.unmount();
  },
  setTyping: () => {},
  update: () => {},
  end: () => {},
};

/** A page with a component that calls a function. */
export const caller: CallerPage = {
  show: (client) => {
    const root = document.createElement('div');
    document.body.append(root);
    const Caller = defineComponent(() => {
      const { call, reset, pending, result, error } = useCall<string, Question>(client, 'app::answer');
      caller.call = call;
      caller.reset = reset;
      return () => h('p', { id: 'caller' }, callerLine(pending.value, result.value, error.value?.code));
    });
    const app = createApp(Caller);
    app.mount(root);
    caller.end = () => app.unmount();
  },
  call: () => Promise.reject(new Error('the component is not mounted')),
  reset: () => {},
  end: () => {},
};
