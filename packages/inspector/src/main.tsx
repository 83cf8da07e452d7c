import { createRoot } from 'react-dom/client';
import { App } from './shell/app.js';
import { followTheme } from './shell/theme.js';
import { checkAccess } from './wire/admin.js';

followTheme();
checkAccess();
const root = document.getElementById('root');
if (root !== null) createRoot(root).render(<App />);
