import { hydrate, mount, unmount } from 'svelte';
import Caller from './caller.svelte';
import type { CallerPage } from './callers.js';
import type { PeoplePage } from './people.js';
import People from './people.svelte';
import Page from './rooms.svelte';
import { rooms } from './svelte-rooms.js';

export { tapped } from './tapped.js';
export { rooms };

rooms.show = (client, initial) => {
  const target = document.querySelector('#server');
  if (target === null) throw new Error('the page has no element for Svelte');
  const options = { target, props: { client, initial } };
  const page = initial === undefined ? mount(Page, options) : hydrate(Page, options);
  rooms.end = () => void unmount(page);
};

/** A page with the people of a room. */
export const people: PeoplePage = {
  show: (client, name) => {
    const page = mount(People, { target: document.body, props: { client, name, driver: people } });
    people.end = () => void unmount(page);
  },
  setTyping: () => {},
  update: () => {},
  end: () => {},
};

/** A page with a component that calls a function. */
export const caller: CallerPage = {
  show: (client) => {
    const page = mount(Caller, { target: document.body, props: { client, driver: caller } });
    caller.end = () => void unmount(page);
  },
  call: () => Promise.reject(new Error('the component is not mounted')),
  reset: () => {},
  end: () => {},
};
