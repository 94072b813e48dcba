import { Link, useLocation, useNavigate } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { buttonClass } from '@/components/ui/button';
import { Welcome } from '@/features/session/welcome';

/** Takes the secret of a one-time link out of the address bar, where it would be copied around, and keeps it in memory. */
export function WelcomePage() {
  const navigate = useNavigate();
  const { hash } = useLocation();
  const [token, setToken] = useState(hash);
  useEffect(() => {
    if (hash === '') return;
    setToken(hash);
    void navigate({ to: '/welcome', replace: true });
  }, [hash, navigate]);
  return (
    <Welcome
      key={token}
      token={token}
      signIn={
        <Link to="/login" className={buttonClass()}>
          Go to the sign-in
        </Link>
      }
      onSignedIn={() => void navigate({ to: '/', replace: true })}
    />
  );
}
