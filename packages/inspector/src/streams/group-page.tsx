import { useState } from 'react';
import { WriteButton } from '../forms/write-button.js';
import { linkTo, type Route } from '../parts/address.js';
import { Breadcrumbs } from '../parts/breadcrumbs.js';
import { Icon } from '../parts/icons.js';
import { replaceQuery } from '../parts/route.js';
import { Failure, Notice } from '../parts/states.js';
import { Tabs } from '../parts/tabs.js';
import { usePoll } from '../parts/use-poll.js';
import { ChangeFeed } from './change-feed.js';
import { GroupFacts } from './group-facts.js';
import { ItemDialog } from './item-dialog.js';
import { ItemsPanel } from './items-panel.js';
import { useLiveGroup } from './live/use-live-group.js';
import { useWatchChoice } from './live/use-watch-choice.js';
import { LiveSwitch } from './live-switch.js';
import { LogPanel } from './log-panel.js';
import { decodeGroup, groupPath } from './streams-wire.js';
import { SendDialog } from './writes/send-dialog.js';
import { SetDialog } from './writes/set-dialog.js';

const EVERY_MS = 2_000;

type Open = { readonly kind: 'none' } | { readonly kind: 'set' } | { readonly kind: 'send' };

interface GroupPageProps {
  readonly stream: string;
  readonly group: string;
  readonly query: Route['query'];
}

/** One group: its items, its changes as they come, its log, and the writes. */
export function GroupPage({ stream, group, query }: GroupPageProps) {
  const choice = useWatchChoice(stream, group);
  const live = useLiveGroup(stream, group, choice.isOn);
  const facts = usePoll(JSON.stringify([stream, group]), { path: groupPath(stream, group), decoder: decodeGroup }, EVERY_MS);
  const [open, setOpen] = useState<Open>({ kind: 'none' });
  const close = () => setOpen({ kind: 'none' });
  const place = { stream, group };
  const tab = query['tab'] ?? 'items';
  const { item } = query;

  return (
    <>
      <Breadcrumbs parts={['streams', stream, group]} titles={['Streams', stream, group]} />
      <div className="page-head">
        <h1>{group}</h1>
        <LiveSwitch choice={choice} live={live} />
        <div className="row push">
          <a className="button" href={linkTo(['why'], { stream, group })}>
            <Icon name="why" /> Why…
          </a>
          <WriteButton onClick={() => setOpen({ kind: 'send' })}>
            <Icon name="send" /> Send event
          </WriteButton>
          <WriteButton className="primary" onClick={() => setOpen({ kind: 'set' })}>
            <Icon name="add" /> Set item
          </WriteButton>
        </div>
      </div>
      {facts.failure !== undefined && <Failure failure={facts.failure} onRetry={facts.refresh} />}
      {live?.error !== undefined && <Notice tone="bad" text={`The live connection reports: ${live.error.message} (${live.error.code})`} />}
      {facts.value !== undefined && <GroupFacts group={facts.value} live={live} />}
      <Tabs
        label={`Views of ${group}`}
        current={tab}
        onChange={(name) => replaceQuery({ tab: name === 'items' ? undefined : name })}
        tabs={[
          { name: 'items', title: 'Items' },
          { name: 'changes', title: 'Live changes' },
          { name: 'log', title: 'Log' },
        ]}
      >
        {tab === 'changes' ? (
          <ChangeFeed live={live} choice={choice} />
        ) : tab === 'log' ? (
          <LogPanel {...place} />
        ) : (
          <ItemsPanel {...place} live={live} search={query['search'] ?? ''} />
        )}
      </Tabs>
      {item !== undefined && <ItemDialog {...place} item={item} live={live} onClose={() => replaceQuery({ ...query, item: undefined })} />}
      {open.kind === 'set' && <SetDialog {...place} onClose={close} />}
      {open.kind === 'send' && <SendDialog {...place} onClose={close} />}
    </>
  );
}
