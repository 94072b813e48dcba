import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useReducer, useState } from 'react';
import type { Message } from '@/api/generated';
import { followGeneration } from '@/api/sse';
import { refreshConversation, refreshConversationList, storeMessages } from './queries';
import { initialStream, reduceStream, type StreamState } from './stream';
import { isActive } from './thread';

/** Follows an answer while it is being made, and puts the finished message into the cache. */
export function useGeneration(message: Message): StreamState {
  const client = useQueryClient();
  const [state, dispatch] = useReducer(reduceStream, message, initialStream);
  const { id, conversation_id: conversationId } = message;
  const wanted = isActive(message);
  const [was, setWas] = useState(wanted);
  if (was !== wanted) {
    setWas(wanted);
    if (wanted) dispatch({ type: 'restart', message });
  }
  const active = wanted && state.message === null;

  useEffect(() => {
    if (!active) return;
    return followGeneration(id, {
      onEvent: (event) => {
        dispatch(event);
        if (event.type !== 'end') return;
        storeMessages(client, conversationId, [event.message]);
        void refreshConversationList(client);
      },
      onConnection: (connection) => {
        dispatch({ type: 'connection', state: connection });
        // The answer may have ended without us, or the conversation may be gone: the stored truth tells.
        if (connection === 'waiting') void refreshConversation(client, conversationId);
      },
    });
  }, [id, conversationId, client, active]);
  return state;
}
