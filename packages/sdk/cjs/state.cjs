module.exports = require('../dist/api/state.js');
