import { render } from 'svelte/server';
import type { InitialState, StreamClient } from '../../src/index.js';
import Page from './rooms.svelte';

export function renderPage(client: StreamClient, initial: InitialState<unknown>): string {
  return render(Page, { props: { client, initial } }).body;
}
