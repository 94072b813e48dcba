import { useEffect, useState } from 'react';
import { STORAGE_KEYS } from '@/config/app';
import { readStored, writeStored } from '@/lib/storage';

/** Whether a group is open; kept on this device. It opens when there is something in it to `reveal`. */
export function useStoredOpen(name: string, reveal: boolean): [boolean, () => void] {
  const key = STORAGE_KEYS.group(name);
  const [open, setOpen] = useState(() => readStored(key) === 'open');
  useEffect(() => {
    if (!reveal) return;
    writeStored(key, 'open');
    setOpen(true);
  }, [key, reveal]);
  const toggle = () => {
    writeStored(key, open ? null : 'open');
    setOpen(!open);
  };
  return [open, toggle];
}
