import type { ChatSettings } from '@/api/generated';

/** Nothing is chosen: the server's defaults, and whichever model is champion. */
export const DEFAULT_SETTINGS: ChatSettings = {
  system_prompt: null,
  temperature: null,
  top_p: null,
  max_tokens: null,
  model: null,
};

export function areSame(one: ChatSettings, other: ChatSettings): boolean {
  return Object.entries(one).every(([name, value]) => other[name as keyof ChatSettings] === value);
}

/** What is set otherwise than by default, but for the model, which is shown by itself. Null when nothing is. */
export function ownSettings(settings: ChatSettings): string | null {
  const { system_prompt: prompt, temperature, top_p: topP, max_tokens: maxTokens } = settings;
  const parts = [
    prompt !== null && 'own system prompt',
    temperature !== null && `temperature ${temperature}`,
    topP !== null && `top-p ${topP}`,
    maxTokens !== null && `at most ${maxTokens} tokens`,
  ].filter((part) => part !== false);
  const words = parts.join(', ');
  return words ? words.charAt(0).toUpperCase() + words.slice(1) : null;
}
