module.exports = require('../dist/svelte.js');
