import { useEffect } from 'react';
import { COMMAND } from '@/components/ui/keys';

export const SEARCH = [COMMAND, 'K'] as const;
export const NEW_CHAT = [COMMAND, 'Shift', 'O'] as const;
export const SHORTCUTS_HELP = ['?'] as const;

interface Shortcuts {
  onSearch: () => void;
  onNewChat: () => void;
  onShortcuts: () => void;
}

/** The keys that work on every page. Plain keys do nothing while one types; none does while a dialog or a menu is open. */
export function useShortcuts({ onSearch, onNewChat, onShortcuts }: Shortcuts): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing || event.altKey) return;
      const run = actionOf(event);
      if (!run) return;
      event.preventDefault();
      run();
    };
    const actionOf = (event: KeyboardEvent): (() => void) | null => {
      if (isBusy()) return null;
      const key = event.key.toLowerCase();
      if (event.ctrlKey || event.metaKey) {
        if (key === 'k' && !event.shiftKey) return onSearch;
        return key === 'o' && event.shiftKey ? onNewChat : null;
      }
      if (isTyping(event.target)) return null;
      if (key === '?') return onShortcuts;
      const composer = document.querySelector<HTMLElement>('[data-composer]');
      return key === '/' && composer ? () => composer.focus() : null;
    };
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  }, [onSearch, onNewChat, onShortcuts]);
}

function isBusy(): boolean {
  return document.querySelector('[role=dialog], [role=alertdialog], [role=menu]') !== null;
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && target.closest('input, textarea, select, [contenteditable]') !== null
  );
}
