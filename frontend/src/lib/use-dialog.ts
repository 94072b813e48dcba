import { useCallback, useState } from 'react';

/** Whether a dialog is open. As the dialog's `key`, `turn` makes each opening begin afresh. */
export function useDialog() {
  const [turn, setTurn] = useState(0);
  const [open, onOpenChange] = useState(false);
  const show = useCallback(() => {
    setTurn((count) => count + 1);
    onOpenChange(true);
  }, []);
  return { turn, open, onOpenChange, show };
}
