import { act, render, screen } from '@testing-library/react';
import { Component, type ReactNode, StrictMode } from 'react';
import { describe, expect, it, vi } from 'vitest';
import { type Deferred, deferred, useDeferred } from './deferred';

type Words = { say: () => string };

function Shown({ part, wanted }: { part: Deferred<Words>; wanted: boolean }) {
  const code = useDeferred(part, wanted);
  return <p>{code ? code.say() : 'not yet'}</p>;
}

class Boundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };
  static getDerivedStateFromError() {
    return { failed: true };
  }
  override render() {
    return this.state.failed ? <p>failed</p> : this.props.children;
  }
}

describe('deferred code', () => {
  it('is fetched once it is wanted, and only once', async () => {
    const load = vi.fn(() => Promise.resolve({ say: () => 'hello' }));
    const part = deferred<Words>(load);
    const { rerender } = render(<Shown part={part} wanted={false} />, { wrapper: StrictMode });
    expect(screen.getByText('not yet')).toBeInTheDocument();
    expect(load).not.toHaveBeenCalled();

    rerender(<Shown part={part} wanted />);
    expect(await screen.findByText('hello')).toBeInTheDocument();
    rerender(<Shown part={part} wanted={false} />);
    rerender(<Shown part={part} wanted />);
    expect(load).toHaveBeenCalledOnce();
  });

  it('shows at once, and everywhere, when it was fetched before', async () => {
    const part = deferred<Words>(() => Promise.resolve({ say: () => 'hello' }));
    render(<Shown part={part} wanted={false} />);
    await act(() => part.fetch());
    expect(screen.getByText('hello')).toBeInTheDocument();
    render(<Shown part={part} wanted={false} />);
    expect(screen.getAllByText('hello')).toHaveLength(2);
  });

  it('fails as the page does where it cannot be had, and can be had later', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const load = vi.fn<() => Promise<Words>>().mockRejectedValueOnce(new TypeError('gone'));
    load.mockResolvedValueOnce({ say: () => 'hello' });
    const part = deferred<Words>(load);
    const { unmount } = render(<Shown part={part} wanted />, { wrapper: Boundary });
    expect(await screen.findByText('failed')).toBeInTheDocument();
    unmount();
    render(<Shown part={part} wanted />, { wrapper: Boundary });
    expect(await screen.findByText('hello')).toBeInTheDocument();
    vi.restoreAllMocks();
  });
});
