import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { type ComponentProps, useState } from 'react';
import { describe, expect, it, vi } from 'vitest';
import { MAX_MESSAGE_CHARACTERS } from '@/config/app';
import { Composer } from './composer';

type Props = Partial<ComponentProps<typeof Composer>>;

function Typing(props: Props) {
  const [draft, setDraft] = useState(props.draft ?? '');
  return (
    <Composer
      onSend={() => undefined}
      onStop={null}
      stopping={false}
      busy={false}
      blocked={null}
      {...props}
      draft={draft}
      onDraft={setDraft}
    />
  );
}

function show(props: Props = {}) {
  const onSend = vi.fn();
  render(<Typing onSend={onSend} {...props} />);
  return { onSend, field: screen.getByRole('textbox', { name: 'Message' }) };
}

describe('the composer', () => {
  it('is ready for typing at once', () => expect(show().field).toHaveFocus());

  it('sends on Enter and breaks the line on Shift+Enter', async () => {
    const { onSend, field } = show();
    await userEvent.type(field, 'one{Shift>}{Enter}{/Shift}two');
    expect(onSend).not.toHaveBeenCalled();
    await userEvent.type(field, '{Enter}');
    expect(onSend).toHaveBeenCalledExactlyOnceWith('one\ntwo');
  });

  it('sends nothing that is only white space', async () => {
    const { onSend, field } = show();
    await userEvent.type(field, '   {Enter}');
    expect(onSend).not.toHaveBeenCalled();
    expect(screen.getByRole('button', { name: /Send/ })).toBeDisabled();
  });

  it.each<[string, Props, RegExp]>([
    ['an answer is being written', { onStop: () => undefined }, /answer is being written/],
    ['a message is on its way', { busy: true }, /Sending/],
    ['one is offline', { blocked: 'you are offline' }, /You are offline/],
    ['the message is too long', { draft: 'x'.repeat(MAX_MESSAGE_CHARACTERS + 5) }, /5 characters too long/],
  ])('says why it cannot send while %s', async (_, props, reason) => {
    const { onSend, field } = show({ draft: 'hello', ...props });
    expect(screen.getByText(reason)).toBeInTheDocument();
    field.focus();
    await userEvent.keyboard('{Enter}');
    expect(onSend).not.toHaveBeenCalled();
  });

  it('stops instead of sending while an answer is written', async () => {
    const onStop = vi.fn();
    show({ onStop });
    await userEvent.click(screen.getByRole('button', { name: 'Stop' }));
    expect(onStop).toHaveBeenCalledOnce();
  });

  it('stops the answer on Escape, once', async () => {
    const onStop = vi.fn();
    const { field } = show({ onStop });
    await userEvent.type(field, '{Escape}');
    expect(onStop).toHaveBeenCalledOnce();
  });
});
