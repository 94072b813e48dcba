import type { Page } from '@playwright/test';
import { expect } from './fixtures';

export interface Turn {
  question: string;
  answer: string;
}

/** Takes in a conversation that was finished elsewhere; gives its id. The page must be at the site already. */
export async function takeIn(page: Page, turns: Turn[], title = 'Taken in'): Promise<string> {
  const at = new Date().toISOString();
  const texts = turns.flatMap(({ question, answer }) => [question, answer]);
  const ids = texts.map(() => crypto.randomUUID());
  const messages = texts.map((content, index) => ({
    id: ids[index],
    parent_id: ids[index - 1] ?? null,
    author: index % 2 === 0 ? 'user' : 'assistant',
    status: 'done',
    content,
    created_at: at,
  }));
  const conversation = { id: crypto.randomUUID(), title, created_at: at, updated_at: at, messages };
  const response = await page.request.post('/api/conversations/import', {
    data: { format: 'codellama-conversations', version: 1, conversations: [conversation] },
    headers: { Origin: new URL(page.url()).origin },
  });
  expect(response.status(), await response.text()).toBe(201);
  const made = (await response.json()) as { conversations: { id: string }[] };
  return made.conversations[0]?.id ?? '';
}
