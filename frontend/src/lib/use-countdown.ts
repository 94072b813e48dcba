import { useEffect, useReducer } from 'react';

/** Whole seconds left until `deadline` (milliseconds since the epoch); 0 when it is past or null. */
export function useCountdown(deadline: number | null): number {
  const [, tick] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    if (deadline === null) return;
    const timer = setInterval(tick, 250);
    return () => clearInterval(timer);
  }, [deadline]);
  return deadline === null ? 0 : Math.max(0, Math.ceil((deadline - Date.now()) / 1000));
}
