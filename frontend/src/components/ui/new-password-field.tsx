import { Eye, EyeOff } from 'lucide-react';
import { useState } from 'react';
import { MIN_PASSWORD_CHARACTERS } from '@/config/app';
import { IconButton } from './button';
import { Field } from './field';

interface NewPasswordFieldProps {
  label: string;
  name: string;
  error?: string | null;
  autoFocus?: boolean;
}

/** Where a new password is typed once: it can be looked at instead of being typed again. */
export function NewPasswordField(props: NewPasswordFieldProps) {
  const [shown, setShown] = useState(false);
  const [password, setPassword] = useState('');
  return (
    <Field
      {...props}
      required
      type={shown ? 'text' : 'password'}
      autoComplete="new-password"
      autoCapitalize="none"
      spellCheck={false}
      minLength={MIN_PASSWORD_CHARACTERS}
      maxLength={1024}
      value={password}
      onChange={(event) => setPassword(event.target.value)}
      hint={lengthHint([...password].length)}
      action={
        <IconButton
          label={shown ? 'Hide the characters' : 'Show the characters'}
          onClick={() => setShown(!shown)}
        >
          {shown ? <EyeOff aria-hidden /> : <Eye aria-hidden />}
        </IconButton>
      }
    />
  );
}

/** What a password of so many characters still needs. */
export function lengthHint(characters: number): string {
  const missing = MIN_PASSWORD_CHARACTERS - characters;
  if (characters === 0)
    return `At least ${MIN_PASSWORD_CHARACTERS} characters. A few words that only you would put together are easy to remember.`;
  if (missing > 0) return `${missing} more ${missing === 1 ? 'character' : 'characters'} to go.`;
  return `${characters} characters: long enough.`;
}
