import { useRouter, useSearch } from '@tanstack/react-router';
import { LoginForm } from '@/features/session/login-form';

export function LoginPage() {
  const router = useRouter();
  const { next = '/', problem } = useSearch({ from: '/entrance/login' });
  return <LoginForm next={next} problem={problem} onSignedIn={() => router.history.push(next)} />;
}
