import { useEffect } from 'react';
import { APP_NAME } from '@/config/app';

/** What the tab's title is made of; there is one tab, and one title. */
const shown = { mark: '', part: '' };

function show(change: Partial<typeof shown>): void {
  Object.assign(shown, change);
  document.title = [[shown.mark, shown.part].filter(Boolean).join(' '), APP_NAME].filter(Boolean).join(' · ');
}

/** The tab's title: `Binary search · Code Assistant`. */
export function useTitle(part: string | null): void {
  useEffect(() => show({ part: part ?? '' }), [part]);
}

/** What stands before the title while it is there: `✓ Binary search · Code Assistant`. */
export function useTitleMark(mark: string | null): void {
  useEffect(() => {
    if (!mark) return;
    show({ mark });
    return () => show({ mark: '' });
  }, [mark]);
}
