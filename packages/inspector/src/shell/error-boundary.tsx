import { Component, type ReactNode } from 'react';
import { Notice } from '../parts/states.js';

type State = { readonly kind: 'well' } | { readonly kind: 'failed'; readonly message: string };

/** Shows an error of a view in its place, so that the navigation still works. */
export class ErrorBoundary extends Component<{ readonly children: ReactNode }, State> {
  override state: State = { kind: 'well' };

  static getDerivedStateFromError(error: unknown): State {
    return { kind: 'failed', message: error instanceof Error ? error.message : String(error) };
  }

  override render(): ReactNode {
    if (this.state.kind === 'well') return this.props.children;
    return (
      <>
        <h1>This view failed</h1>
        <Notice
          tone="bad"
          text={`The inspector has a bug: ${this.state.message}`}
          action={{ label: 'Show it again', run: () => this.setState({ kind: 'well' }) }}
        />
      </>
    );
  }
}
