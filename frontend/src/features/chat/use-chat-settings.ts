import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useMemo, useState } from 'react';
import { type ChatSettings, updateConversation } from '@/api/generated';
import { listModelChoicesOptions } from '@/api/generated/@tanstack/react-query.gen';
import { IDLE_POLL_MS } from '@/config/app';
import { DEFAULT_SETTINGS } from './chat-settings';
import { storeSettings } from './queries';

/** How a conversation is answered. `save` rejects with the reason when a change is refused. */
export interface Chosen {
  settings: ChatSettings;
  save: (change: Partial<ChatSettings>) => Promise<void>;
}

/** The settings of a conversation; null until it is loaded. */
export function useChatSettings(conversationId: string, settings: ChatSettings | undefined): Chosen | null {
  const client = useQueryClient();
  const save = useCallback(
    async (change: Partial<ChatSettings>) => {
      const path = { conversation_id: conversationId };
      const { data } = await updateConversation({ path, body: { settings: change }, throwOnError: true });
      storeSettings(client, conversationId, data.settings);
    },
    [client, conversationId],
  );
  return useMemo(() => (settings ? { settings, save } : null), [settings, save]);
}

/** The settings that a conversation will be created with. */
export function useNewChatSettings(): Chosen {
  const [settings, setSettings] = useState(DEFAULT_SETTINGS);
  const save = useCallback(async (change: Partial<ChatSettings>) => {
    setSettings((old) => ({ ...old, ...change }));
  }, []);
  return useMemo(() => ({ settings, save }), [settings, save]);
}

/** Which models may be asked for, and the defaults of the settings; asked again now and then. */
export function useModelChoices() {
  const { data } = useQuery({ ...listModelChoicesOptions(), refetchInterval: IDLE_POLL_MS });
  return data ?? null;
}
