import { HttpResponse, http } from 'msw';
import { setupServer } from 'msw/node';
import { makeEstimate } from './fixtures';

/**
 * Answers the API calls of a test; a call that no test has described is an error, but for the folders, which the sidebar
 * of every page asks for, and what a draft would cost.
 */
export const server = setupServer(
  http.get('*/api/conversations/folders', () => HttpResponse.json({ items: [] })),
  http.get('*/api/models/served', () =>
    HttpResponse.json({ items: [], defaults: { temperature: 0.2, top_p: 0.95, max_tokens: 2048 } }),
  ),
  http.post('*/api/conversations/estimate', () => HttpResponse.json(makeEstimate())),
  http.post('*/api/conversations/:id/estimate', () => HttpResponse.json(makeEstimate())),
);
