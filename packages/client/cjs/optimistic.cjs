module.exports = require('../dist/optimistic.js');
