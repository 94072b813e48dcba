import { useEffect } from 'react';
import { APP_NAME } from '@/config/app';

/** The tab's title: `Binary search · Code Assistant`. */
export function useTitle(part: string | null): void {
  useEffect(() => {
    document.title = part ? `${part} · ${APP_NAME}` : APP_NAME;
  }, [part]);
}
