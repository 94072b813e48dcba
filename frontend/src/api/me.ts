import { useQuery } from '@tanstack/react-query';
import { IDLE_POLL_MS } from '@/config/app';
import { meOptions } from './generated/@tanstack/react-query.gen';

/** Who is signed in and which model answers; asked again now and then, because versions change under a running page. */
export const meQuery = () => ({ ...meOptions(), staleTime: IDLE_POLL_MS, refetchInterval: IDLE_POLL_MS });

export function useMe() {
  return useQuery(meQuery()).data ?? null;
}
