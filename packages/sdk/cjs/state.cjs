module.exports = require('../dist/state.js');
