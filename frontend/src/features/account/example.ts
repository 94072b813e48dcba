/** A request to paste into a terminal: it asks the model that answers with the given key. */
export function curlExample(origin: string, key: string): string {
  const body = {
    model: 'default',
    messages: [{ role: 'user', content: 'Write a Python function that reverses a string.' }],
  };
  return [
    `curl ${origin}/v1/chat/completions \\`,
    `  -H 'Authorization: Bearer ${key}' \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -d '${JSON.stringify(body)}'`,
  ].join('\n');
}

/** What OpenAI-compatible clients call the base URL. */
export function baseUrl(origin: string): string {
  return `${origin}/v1`;
}
