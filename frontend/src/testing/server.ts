import { setupServer } from 'msw/node';

/** Answers the API calls of a test; a call that no test has described is an error. */
export const server = setupServer();
