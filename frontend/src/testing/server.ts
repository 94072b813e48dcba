import { HttpResponse, http } from 'msw';
import { setupServer } from 'msw/node';

/**
 * Answers the API calls of a test; a call that no test has described is an error, but for the folders, which the sidebar
 * of every page asks for.
 */
export const server = setupServer(
  http.get('*/api/conversations/folders', () => HttpResponse.json({ items: [] })),
);
