curl -X POST \
-H "Content-Type: application/json" \
-H "Authorization: Bearer Your API Key" \
-H "Token: Replace with service deployment Token" \
"http://xxxxxx.opensearch.aliyuncs.com/v3/openapi/xxxxxx" \
-d '{
"type": "image",
"data": ["data:image/jpeg;base64,/9j/4AAQSkZJRgABAQAAAQABAAD/2wCEAAoHCB..."]
}'
