curl -X POST \
-H "Content-Type: application/json" \
-H "Authorization: Bearer Your API Key" \
-H "Token: Replace with service deployment Token" \
"http://xxxxxx.opensearch.aliyuncs.com/v3/openapi/xxxxxx" \
-d '{
"input":[
"Science and technology are the primary productive forces",
"opensearch product documentation"
],
"input_type" : "document",
"dimension": 567 # This takes effect only when vector dimensionality reduction training is enabled, and the dimension cannot be greater than that of the foundation model
}'
