import { act, renderHook } from '@testing-library/react';
import { beforeEach, describe, expect, it } from 'vitest';
import { useDraft } from './use-draft';

const typed = (text: string) => {
  const { result } = renderHook(() => useDraft('conversation-1'));
  act(() => result.current.setDraft(text));
  return result;
};
const reopened = () => renderHook(() => useDraft('conversation-1')).result.current.draft;

describe('a draft', () => {
  beforeEach(() => {
    localStorage.clear();
    sessionStorage.clear();
  });

  it('is there again in the same tab, whatever another tab has written since', () => {
    typed('mine');
    localStorage.setItem('assistant.draft.conversation-1', 'of another tab');
    expect(reopened()).toBe('mine');
  });

  it('is there in a new tab', () => {
    typed('mine');
    sessionStorage.clear();
    expect(reopened()).toBe('mine');
  });

  it('is forgotten once it is sent; what another tab has written stays', () => {
    const result = typed('mine');
    localStorage.setItem('assistant.draft.conversation-1', 'of another tab');
    act(() => result.current.clearDraft('mine'));
    expect(result.current.draft).toBe('');
    expect(localStorage.getItem('assistant.draft.conversation-1')).toBe('of another tab');
  });
});
