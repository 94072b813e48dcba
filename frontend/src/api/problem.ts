import type { Problem } from './generated';

/** A refused or failed call, with a sentence to show. `status` is 0 when no answer came at all. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  /** Seconds after which to try again, where the server says so. */
  readonly retryAfterS: number | null;
  /** The field at fault, where the server names one. */
  readonly param: string | null;

  constructor(
    message: string,
    status: number,
    code: string,
    retryAfterS: number | null = null,
    param: string | null = null,
  ) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
    this.param = param;
  }
}

const UNREACHABLE = 'The server cannot be reached. Check your connection and try again.';

/** What a failed call is for the rest of the application. */
export function toApiError(cause: unknown, response: Response | undefined): ApiError {
  if (cause instanceof ApiError) return cause;
  if (!response) return new ApiError(UNREACHABLE, 0, 'unreachable');
  const problem = isProblem(cause) ? cause : null;
  const message = problem?.detail ?? sentenceFor(response.status);
  const code = problem?.code ?? 'unknown';
  return new ApiError(message, response.status, code, retryAfter(response), problem?.param ?? null);
}

/** The sentence of any error, for a person. */
export function sentenceOf(error: unknown): string {
  return error instanceof ApiError
    ? error.message
    : 'Something went wrong in this page. Reload it and try again.';
}

/** The sentence of an error about one field of a form; null when there is none, or it is about something else. */
export function sentenceAt(error: unknown, param: string): string | null {
  return error instanceof ApiError && error.param === param ? error.message : null;
}

function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'detail' in value && typeof value.detail === 'string';
}

function sentenceFor(status: number): string {
  if (status === 401) return 'You are signed out. Sign in again.';
  if (status === 404) return 'This is not here; it may have been deleted.';
  if (status === 502 || status === 503 || status === 504)
    return 'The server is starting or busy. Try again shortly.';
  return `The server answered with status ${status}. Try again; if it stays, tell your administrator.`;
}

function retryAfter(response: Response): number | null {
  const header = response.headers.get('Retry-After');
  if (header === null) return null;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, (date - Date.now()) / 1000);
}
