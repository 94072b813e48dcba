import { ApiError, sentenceOf } from '@/api/problem';

/** Why a sign-in at the identity provider came to nothing. The server sends a code, so that no link can put words here. */
const PROBLEMS: Record<string, string> = {
  cancelled: 'The sign-in was cancelled. You can begin again whenever you like.',
  unauthenticated:
    'That sign-in took too long, or was begun in another browser. Begin again, and finish it in this one.',
  forbidden:
    'You were recognised, but this account may not sign in here. Ask an administrator to let you in, or use another account.',
  identity_provider_unavailable:
    'The sign-in service does not answer. Try again in a minute; if it stays like this, tell your administrator.',
  database_unavailable: 'The database cannot be reached right now. Try again in a moment.',
};

export function explainProblem(code: string): string {
  return (
    PROBLEMS[code] ??
    'The sign-in did not work. Try again; if it stays like this, tell your administrator what you did.'
  );
}

/** Why an address and a password were not taken. */
export function explainRefusal(error: unknown): string {
  if (!(error instanceof ApiError)) return sentenceOf(error);
  if (error.status === 401) return 'This e-mail address and password do not match. Try again.';
  if (error.status === 429)
    return 'There were too many failed attempts. The button works again when its countdown is over.';
  return error.message;
}
