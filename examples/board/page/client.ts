import { connect } from '@rivulet/client';
import { optimistic } from '@rivulet/client/optimistic';
import { createHooks } from '@rivulet/client/react';
import type { Functions, Settings, Streams } from './types.js';

const settings: Settings = JSON.parse(document.querySelector('#settings')?.textContent ?? '');

/** The person who is logged in. */
export const { me } = settings;

/** Returns a token for the engine. The client calls it before it connects, and again before the token expires. */
async function getToken(): Promise<string> {
  const answer = await fetch('/token');
  // The session has ended. Without it the server shows the login.
  if (answer.status === 401) location.assign('/');
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  return answer.text();
}

/** The one client of the page. Its views and calls have the types of the board. */
export const client = connect<Streams, Functions>(settings.streamUrl, { getToken, optimistic });

export const { useConnection, usePresence, useStreamGroup } = createHooks(client);
